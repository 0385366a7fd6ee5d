"""Seed 002, section 4.2, 大数据分析代码实例: scikit-learn's support vector machine and its digits.

The document's program is scikit-learn's and stays so: 352 of 360 right, by 396 support vectors. What follows it judges
the machine with dlbd's metrics, and sends a network of dlbd the same way: fit, predict.
"""

from data import QUICK, SEED

# Below, only the import lines differ from the document.
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

# Here the document's program ends.
from dlbd import Input, Sequential, layers, metrics
from dlbd.sklearn import Classifier

# f(x) = sign(sum_i alpha_i y_i K(x_i, x) + b): only rows with alpha_i > 0 count, the support vectors.
print("Support vectors:", len(clf.support_))


def network() -> Sequential:
    hidden, top = layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax")
    made = Sequential([Input((64,)), layers.Rescaling(1 / 16), hidden, top])
    made.compile("adam", "sparse_categorical_crossentropy")
    return made


ours = Classifier(network, epochs=3 if QUICK else 40, random_state=SEED).fit(X_train, y_train)


def judge(name, estimator):
    """Accuracy, precision, recall and F1 (macro averages over the ten digits) of either, from one confusion matrix."""
    confusion = metrics.ConfusionMatrix(10)
    confusion.update_state(y_test, estimator.predict(X_test))
    counts = confusion.result().numpy()
    right = counts.diagonal()
    precision, recall = right / counts.sum(axis=0), right / counts.sum(axis=1)
    f1 = 2 * precision * recall / (precision + recall)
    print(f"{name:8} {right.sum():.0f} of {counts.sum():.0f} right; precision {precision.mean():.4f}, "
          f"recall {recall.mean():.4f}, F1 {f1.mean():.4f}")
    return int(right.sum())


right = {name: judge(name, estimator) for name, estimator in (("SVC", clf), ("network", ours))}
