"""The seed documents' programs as they were published, for TensorFlow, NumPy and scikit-learn."""

PROGRAMS = {
    "000_cnn": """\
import tensorflow as tf
from tensorflow.keras import layers, models

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
""",
    "000_lstm": """\
import tensorflow as tf
from tensorflow.keras.models import Sequential
from tensorflow.keras.layers import LSTM, Dense

# 定义递归神经网络
model = Sequential()
model.add(LSTM(64, input_shape=(None, 10), return_sequences=True))
model.add(LSTM(32))
model.add(Dense(1, activation='linear'))

# 编译模型
model.compile(optimizer='adam', loss='mse')

# 训练模型
model.fit(train_data, train_labels, epochs=100, batch_size=32)
""",
    "000_attention": """\
import tensorflow as tf
from tensorflow.keras.models import Model
from tensorflow.keras.layers import Input, Dense, Attention

# 定义自注意力机制
input_layer = Input(shape=(None, 10))
attention_layer = Attention()([input_layer])
dense_layer = Dense(64, activation='relu')(attention_layer)
output_layer = Dense(10, activation='softmax')(dense_layer)

# 编译模型
model = Model(inputs=input_layer, outputs=output_layer)
model.compile(optimizer='adam', loss='categorical_crossentropy', metrics=['accuracy'])

# 训练模型
model.fit(train_data, train_labels, epochs=100, batch_size=32)
""",
    "000_gan_as_printed": """\
import tensorflow as tf
from tensorflow.keras.models import Sequential
from tensorflow.keras.layers import Dense, Conv2D, LeakyReLU, Flatten

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
""",
    "001_gradient_descent": """\
import numpy as np

# 定义损失函数
def loss_function(theta):
    return np.sum(theta**2)

# 定义梯度
def gradient(theta):
    return 2 * theta

# 定义梯度下降算法
def gradient_descent(theta, learning_rate, num_iterations):
    for _ in range(num_iterations):
        theta = theta - learning_rate * gradient(theta)
    return theta

# 测试梯度下降算法
theta = np.array([1.0, 2.0])
learning_rate = 0.1
num_iterations = 100
result = gradient_descent(theta, learning_rate, num_iterations)
print(result)
""",
    "001_backpropagation": """\
import numpy as np

# 定义损失函数
def loss_function(z):
    return np.sum(z**2)

# 定义梯度
def gradient(z):
    return 2 * z

# 定义神经元
class Neuron:
    def __init__(self, weight, bias):
        self.weight = weight
        self.bias = bias

    def forward(self, x):
        return np.dot(x, self.weight) + self.bias

    def backward(self, dL_dZ):
        return np.dot(dL_dZ, self.weight.T)

# 定义神经网络
class NeuralNetwork:
    def __init__(self, input_size, hidden_size, output_size):
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.output_size = output_size

        # 初始化权重和偏置
        self.weights = np.random.randn(self.hidden_size, self.input_size)
        self.biases = np.random.randn(self.hidden_size, 1)

    def forward(self, x):
        # 前向传播
        self.z = np.dot(x, self.weights) + self.biases
        self.a = 1 / (1 + np.exp(-self.z))

        # 计算损失函数的值
        self.L = loss_function(self.a)

        # 计算梯度
        self.dL_da = self.a - self.L
        self.dL_dz = self.dL_da / self.a

        # 计算权重和偏置的梯度
        self.dW = np.dot(self.dL_dz, self.a.T)
        self.db = np.sum(self.dL_dz, axis=0)

    def backward(self):
        # 反向传播
        self.dW = np.dot(self.dL_dz, self.a.T)
        self.db = np.sum(self.dL_dz, axis=0)

        # 更新权重和偏置
        self.weights = self.weights - learning_rate * self.dW
        self.biases = self.biases - learning_rate * self.db

# 测试反向传播算法
input_size = 2
hidden_size = 3
output_size = 1
x = np.array([[1.0, 2.0]])
result = NeuralNetwork(input_size, hidden_size, output_size).forward(x)
print(result)
""",
    "001_convolution": """\
import numpy as np

# 定义滤波器
filter_size = 3
filter_value = np.array([[1.0, 2.0, 1.0]])

# 定义图像
image_size = 5
image_value = np.array([[1.0, 2.0, 3.0, 4.0, 5.0],
                        [6.0, 7.0, 8.0, 9.0, 10.0],
                        [11.0, 12.0, 13.0, 14.0, 15.0],
                        [16.0, 17.0, 18.0, 19.0, 20.0],
                        [21.0, 22.0, 23.0, 24.0, 25.0]])

# 卷积
def convolution(image, filter):
    output_size = image.shape[0] - filter.shape[0] + 1
    output = np.zeros((output_size, output_size))
    for i in range(output_size):
        for j in range(output_size):
            output[i, j] = np.sum(image[i:i+filter.shape[0], j:j+filter.shape[1]] * filter)
    return output

# 测试卷积算法
result = convolution(image_value, filter_value)
print(result)
""",
    "001_pooling": """\
import numpy as np

# 定义池化窗口大小
pool_size = 2

# 定义图像
image_size = 5
image_value = np.array([[1.0, 2.0, 3.0, 4.0, 5.0],
                        [6.0, 7.0, 8.0, 9.0, 10.0],
                        [11.0, 12.0, 13.0, 14.0, 15.0],
                        [16.0, 17.0, 18.0, 19.0, 20.0],
                        [21.0, 22.0, 23.0, 24.0, 25.0]])

# 池化
def pooling(image, pool_size):
    output_size = image.shape[0] - pool_size + 1
    output = np.zeros((output_size, output_size))
    for i in range(output_size):
        for j in range(output_size):
            output[i, j] = np.max(image[i:i+pool_size, j:j+pool_size])
    return output

# 测试池化算法
result = pooling(image_value, pool_size)
print(result)
""",
    "002_cnn": """\
import tensorflow as tf
from tensorflow.keras.models import Sequential
from tensorflow.keras.layers import Conv2D, MaxPooling2D, Flatten, Dense

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
""",
    "002_svm": """\
from sklearn import datasets
from sklearn.model_selection import train_test_split
from sklearn import svm

# 加载数据
digits = datasets.load_digits()

# 划分训练集和测试集
X_train, X_test, y_train, y_test = train_test_split(digits.data, digits.target, test_size=0.2, random_state=42)

# 构建模型
clf = svm.SVC(kernel='linear', C=1)

# 训练模型
clf.fit(X_train, y_train)

# 评估模型
accuracy = clf.score(X_test, y_test)
print('Accuracy:', accuracy)
""",
    "003_dense": """\
import tensorflow as tf

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
""",
    "003_pyspark": """\
from pyspark.sql import SparkSession

# 创建 SparkSession
spark = SparkSession.builder.appName("MyApp").getOrCreate()

# 读取数据
data = spark.read.csv("data.csv", header=True, inferSchema=True)

# 数据预处理
data = data.dropna()

# 数据分析
data.groupBy("category").count().show()

# 关闭 SparkSession
spark.stop()
""",
    "004_dense": """\
import tensorflow as tf

# 定义神经网络结构
model = tf.keras.Sequential([
    tf.keras.layers.Dense(10, activation='relu', input_shape=(2,)),
    tf.keras.layers.Dense(1, activation='sigmoid')
])

# 编译模型
model.compile(optimizer='adam', loss='binary_crossentropy', metrics=['accuracy'])

# 训练模型
model.fit(X_train, y_train, epochs=10, batch_size=32)
""",
}
