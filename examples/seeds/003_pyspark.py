"""Seed 003, section 5.2, 使用 PySpark 处理大数据: read a CSV file, drop rows with gaps, count a column's categories.

The document's program runs as it is; its data.csv are penguins, whose category is the species. What follows it checks
the counts against pandas, and goes on to what the document is about: a model that tells the species, trained from the
data frame without collecting it, then used by the executors. It runs on this machine; another master makes it a
cluster's.
"""

import os
import sys
import tempfile
import warnings

import pandas as pd
from data import QUICK, SEED, penguins

try:
    import pyspark
except ImportError:
    raise SystemExit("this example needs the extra spark, and Java: pip install 'dlbd[spark]'") from None

os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # of the executors: Spark takes any python3 else
warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
table = pd.read_csv(penguins()).rename(columns={"species": "category"})
folder = tempfile.TemporaryDirectory()
os.chdir(folder.name)
table.to_csv("data.csv", index=False)

# Below, only the import lines differ from the document.
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

# Here the document's program ends.
import dlbd
from dlbd import layers
from dlbd.data import Features

spark = SparkSession.builder.appName("MyApp").getOrCreate()
data = spark.read.csv("data.csv", header=True, inferSchema=True).dropna()
counts = {row["category"]: row["count"] for row in data.groupBy("category").count().collect()}
assert counts == table.dropna()["category"].value_counts().to_dict()
print("Counts as pandas has them:", counts)

# The data frame in parts, by a hash of a column. What there is to learn of the columns is learned of the first alone,
# and becomes part of the model, which takes rows as they are.
train, test = dlbd.data.open(data).split(train=0.8, test=0.2, by="bill_length_mm", seed=SEED)
model = dlbd.Sequential([layers.Dense(16, activation="relu"), layers.Dense(3, activation="softmax")])
model.compile(dlbd.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
features = Features.infer(train, target="category", drop=["year"])
model.fit(train, features=features, epochs=5 if QUICK else 40, verbose=0)
loss, accuracy = model.evaluate(test, verbose=0)
print(f"On the {test.count()} held out: {accuracy:.2%} right")

# Where the rows are, executors use it: the new columns are computed when they are asked for.
predicted = dlbd.spark.transform(data, model)
right = predicted.where("prediction = category").count()
print(f"Spark itself finds {right} of {data.count()}")
predicted.select("category", "prediction", "prediction_scores").show(5, truncate=False)

spark.stop()
folder.cleanup()
