"""Seed 000, section 4.4, 生成对抗网络（GAN）: the two networks as they are printed; 000_gan.py is one that learns.

``Reshape`` and ``Conv2DTranspose`` are used but not imported in the document. With them each network builds. They do
not fit together: three doublings make 56x56x3 pictures out of 7x7, and the discriminator looks at 28x28x1.
"""

import data  # the options of the examples

# Below, only the import lines differ from the document.
import dlbd as tf
from dlbd.keras.models import Sequential
from dlbd.keras.layers import Dense, Conv2D, LeakyReLU, Flatten, Reshape, Conv2DTranspose

# 定义生成器
generator = Sequential([
    Dense(256, input_shape=(100,), activation='relu'),
    LeakyReLU(),
    Dense(512, activation='relu'),
    LeakyReLU(),
    Dense(1024, activation='relu'),
    LeakyReLU(),
    Dense(7*7*256, activation='relu'),
    Reshape((7, 7, 256)),
    Conv2DTranspose(256, (4, 4), strides=(1, 1), padding='same', activation='relu'),
    Conv2DTranspose(128, (4, 4), strides=(2, 2), padding='same', activation='relu'),
    Conv2DTranspose(64, (4, 4), strides=(2, 2), padding='same', activation='relu'),
    Conv2DTranspose(3, (4, 4), strides=(2, 2), padding='same', activation='tanh')
])

# 定义判别器
discriminator = Sequential([
    Conv2D(64, (3, 3), strides=(2, 2), padding='same', input_shape=(28, 28, 1)),
    LeakyReLU(),
    Conv2D(128, (3, 3), strides=(2, 2), padding='same'),
    LeakyReLU(),
    Conv2D(128, (3, 3), strides=(2, 2), padding='same'),
    LeakyReLU(),
    Flatten(),
    Dense(1, activation='sigmoid')
])

# 编译模型
discriminator.compile(loss='binary_crossentropy', optimizer='rmsprop')

# 训练模型
# ...

# Here the document's program ends.
from dlbd import Input

print(f"generator:     {generator.count_params():,} parameters, noise (None, 100) to {generator.output_shape}")
print(f"discriminator: {discriminator.count_params():,} parameters, {discriminator.input_shape} to (None, 1)")

# One after the other they are refused when they are put together, before anything is trained.
try:
    Sequential([Input((100,)), generator, discriminator])
except ValueError as error:
    message = str(error)
    print(f"together:      {message}")
