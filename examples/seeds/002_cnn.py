"""Seed 002, section 4.1, 深度学习代码实例: one convolution tells handwritten digits apart, and is tested on others.

Keras's program as it is; 54,410 parameters. The document leaves the data undefined.
"""

from data import digits

(x_train, y_train), (x_test, y_test) = digits()

# Below, only the import lines differ from the document.
import dlbd as tf
from dlbd.keras.models import Sequential
from dlbd.keras.layers import Conv2D, MaxPooling2D, Flatten, Dense

# 构建模型
model = Sequential()
model.add(Conv2D(32, (3, 3), activation='relu', input_shape=(28, 28, 1)))
model.add(MaxPooling2D((2, 2)))
model.add(Flatten())
model.add(Dense(10, activation='softmax'))

# 编译模型
model.compile(optimizer='adam', loss='sparse_categorical_crossentropy', metrics=['accuracy'])

# 训练模型
model.fit(x_train, y_train, epochs=5, batch_size=32)

# 评估模型
loss, accuracy = model.evaluate(x_test, y_test)
print('Accuracy:', accuracy)
