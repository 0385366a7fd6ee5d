"""Seed 000, section 4.1, 卷积神经网络（CNN）: three convolutions tell handwritten digits apart.

Keras's program as it is; 93,322 parameters. The document leaves ``train_images`` undefined: here they are digits.
"""

from data import digits

(train_images, train_labels), (test_images, test_labels) = digits()

# Below, only the import lines differ from the document.
import dlbd as tf
from dlbd.keras import layers, models

# 定义卷积神经网络
model = models.Sequential()
model.add(layers.Conv2D(32, (3, 3), activation='relu', input_shape=(28, 28, 1)))
model.add(layers.MaxPooling2D((2, 2)))
model.add(layers.Conv2D(64, (3, 3), activation='relu'))
model.add(layers.MaxPooling2D((2, 2)))
model.add(layers.Conv2D(64, (3, 3), activation='relu'))
model.add(layers.Flatten())
model.add(layers.Dense(64, activation='relu'))
model.add(layers.Dense(10, activation='softmax'))

# 编译模型
model.compile(optimizer='adam',
              loss='sparse_categorical_crossentropy',
              metrics=['accuracy'])

# 训练模型
model.fit(train_images, train_labels, epochs=5)

# Here the document's program ends.
loss, accuracy = model.evaluate(test_images, test_labels, verbose=0)
print(f"On images that it has not seen: {accuracy:.2%} right")
