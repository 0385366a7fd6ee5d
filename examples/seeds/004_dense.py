"""Seed 004, section 4.1, 使用TensorFlow实现简单的神经网络: will it be warmer? Yes or no from two numbers.

Keras's program as it is; 41 parameters. The document leaves the data undefined. Here the two numbers are the hour of
the day and how the oil temperature of a transformer has changed within the last hour; the answer is whether it will
have risen in three hours. What the hour means is no straight line: that takes the hidden layer.
"""

from data import points

(X_train, y_train), (X_test, y_test) = points()

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

# Here the document's program ends.
loss, accuracy = model.evaluate(X_test, y_test, verbose=0)
print(f"In the test months: {accuracy:.1%} right; saying 'no' always would be in {1 - y_test.mean():.1%}")
