"""Seed 003, section 6.2, 自然语言处理: 情感分析, whether a sentence of a film review praises or not.

The document names the task and leaves the program to the reader; seed 001 names it too (7.7). Words become numbers,
then vectors that are learnt; a convolution over three neighbours finds phrases, and the best match of each kind counts.
The model takes sentences as they are: the vocabulary is part of it, and would be saved with it.
"""

from data import QUICK, sentences

import dlbd
from dlbd import callbacks, layers

(x_train, y_train), (x_test, y_test) = sentences()

words = layers.TextVectorization(max_tokens=20_000, output_sequence_length=50)
words.adapt(x_train)
model = dlbd.Sequential(
    [
        dlbd.Input((), dtype="string"),
        words,
        layers.Embedding(20_000, 32),
        layers.Dropout(0.5),
        layers.Conv1D(64, 3, padding="same", activation="relu"),
        layers.GlobalMaxPooling1D(),
        layers.Dropout(0.5),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile("adam", "binary_crossentropy", metrics=["accuracy", "precision", "recall"])
model.summary()

# Nine tenths of the sentences are learnt from; a tenth of those says when to stop.
stop = callbacks.EarlyStopping("val_accuracy", patience=2, restore_best_weights=True)
model.fit(x_train, y_train, epochs=2 if QUICK else 12, validation_split=0.1, callbacks=[stop])

loss, accuracy, precision, recall = model.evaluate(x_test, y_test, verbose=0)
print(f"On the tenth held out: {accuracy:.2%} right, precision {precision:.2%}, recall {recall:.2%}")
for sentence, praise in zip(x_test[:4], model.predict(x_test[:4], verbose=0)[:, 0], strict=True):
    print(f"  {praise:.2f}  {sentence[:90]}")
