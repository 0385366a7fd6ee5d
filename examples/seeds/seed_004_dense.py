"""Seed 004, section 4.1: a dense network; on points in and out of a circle instead of undefined rows."""

from data import points

X_train, y_train = points()

# Below, only the import lines differ from the document.
import dlbd as tf

# 定义神经网络结构
model = tf.keras.Sequential([
    tf.keras.layers.Dense(10, activation='relu', input_shape=(2,)),
    tf.keras.layers.Dense(1, activation='sigmoid')
])

# 编译模型
model.compile(optimizer='adam', loss='binary_crossentropy', metrics=['accuracy'])

# 训练模型
model.fit(X_train, y_train, epochs=10, batch_size=32)
