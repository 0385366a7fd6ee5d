"""Seed 000, section 4.2: two LSTMs; on noisy sines instead of undefined sequences."""

from data import sequences

train_data, train_labels = sequences()

# Below, only the import lines differ from the document.
import dlbd as tf
from dlbd.keras.models import Sequential
from dlbd.keras.layers import LSTM, Dense

# 定义递归神经网络
model = Sequential()
model.add(LSTM(64, input_shape=(None, 10), return_sequences=True))
model.add(LSTM(32))
model.add(Dense(1, activation='linear'))

# 编译模型
model.compile(optimizer='adam', loss='mse')

# 训练模型
model.fit(train_data, train_labels, epochs=100, batch_size=32)
