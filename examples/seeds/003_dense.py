"""Seed 003, section 5.1, 使用 TensorFlow 构建深度学习模型: a dense network reads handwritten digits.

Keras's program as it is; 101,770 parameters. The document leaves the data undefined: rows of 784 pixels.
"""

from data import digits

(x_train, y_train), (x_test, y_test) = digits()
x_train, x_test = x_train.reshape(-1, 784), x_test.reshape(-1, 784)

# Below, only the import lines differ from the document.
import dlbd as tf

# 定义模型
model = tf.keras.Sequential([
  tf.keras.layers.Dense(128, activation='relu', input_shape=(784,)),
  tf.keras.layers.Dense(10, activation='softmax')
])

# 编译模型
model.compile(optimizer='adam',
              loss='sparse_categorical_crossentropy',
              metrics=['accuracy'])

# 训练模型
model.fit(x_train, y_train, epochs=5)

# 评估模型
model.evaluate(x_test, y_test)
