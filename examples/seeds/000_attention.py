"""Seed 000, section 4.3, 自注意力机制（Attention）: readings of a sensor that were lost, from others like them.

``Attention()([x])`` is self-attention here, as the document means it; Keras asks for a query and a value. Every hour of
two days looks at the hours that are like it, c_i = sum_j a_ij h_j, and a dense network names from c_i in which of ten
bands its oil temperature lies. A third of the temperatures are missing. 1,354 parameters, output (B, T, 10).
"""

from data import gaps

(train_data, train_labels, _), (test_data, test_labels, lost) = gaps()

# Below, only the import lines differ from the document.
import dlbd as tf
from dlbd.keras.models import Model
from dlbd.keras.layers import Input, Dense, Attention

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

# Here the document's program ends.
# What is attention good for? The same without it: each hour is on its own.
alone = Dense(10, activation='softmax')(Dense(64, activation='relu')(input_layer))
without = Model(inputs=input_layer, outputs=alone)
without.compile(optimizer='adam', loss='categorical_crossentropy', metrics=['accuracy'])
without.fit(train_data, train_labels, epochs=100, batch_size=32, verbose=0)

print("Hours of the test months whose temperature was lost:")
right = {}
for name, network in (("with attention", model), ("without", without)):
    bands = network.predict(test_data, verbose=0).argmax(axis=-1)
    away = abs(bands - test_labels.argmax(axis=-1))[lost]
    right[name] = float((away == 0).mean())
    print(f"  {name:15} {right[name]:.1%} in the right band of ten, {away.mean():.2f} bands away on average")
