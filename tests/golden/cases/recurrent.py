"""Recurrent layers, their cells and their wrappers."""

from __future__ import annotations

import numpy as np

from . import Table, normal, tokens

CASES = Table()
_add = CASES.layer
_sequence, _state, _tokens = normal(3, 5, 4), normal(3, 3), tokens(3, 5)
_masked = "Embedding(6, 4, mask_zero=True)"
# No gradient passes from one call to the next by a state that was kept; in Keras that depends on the backend.
_steps = np.array([[1, 1, 0, 1, 0], [0, 0, 1, 1, 1], [1, 1, 1, 1, 1]], bool)

for _kind, _states in (("SimpleRNN", 1), ("LSTM", 2), ("GRU", 1)):
    _initial = "x[1]" if _states == 1 else "[x[1], x[2]]"
    _add(f"{_kind}(3)", _sequence)
    _add(f"{_kind}(3, return_sequences=True)", _sequence)
    _add(f"{_kind}(3, return_sequences=True, go_backwards=True)", _sequence)
    _add(f"{_kind}(3, return_sequences=True, return_state=True)", _sequence)
    _add(f"{_kind}(3, return_state=True, go_backwards=True)", _sequence)
    _add(f"{_kind}(3, use_bias=False)", _sequence)
    _add(f"{_kind}(3, activation='relu', return_sequences=True)", _sequence)
    _add(f"{_kind}(3, unroll=True)", _sequence)
    _add(f"{_kind}(3, dropout=0.3, recurrent_dropout=0.2)", _sequence)
    _add(f"{_kind}(3, kernel_regularizer='l2', recurrent_regularizer='l1', bias_constraint='non_neg')", _sequence)
    _add(f"{_kind}(3)", _sequence, *[_state] * _states, call=f"layer(x[0], initial_state={_initial})")
    _add(f"{_kind}(3)", _sequence, call="layer(x, mask=mask)", mask=_steps)
    _add(f"{_kind}(3, return_sequences=True, return_state=True)", _sequence, call="layer(x, mask=mask)", mask=_steps)
    _add(f"{_kind}(3, stateful=True)", _sequence, call="[layer.reset_state(), layer(x), layer(x)]", gradient=False)
    _add(
        f"{_kind}(3, stateful=True, return_sequences=True)",
        _sequence,
        call="[layer.reset_state(), layer(x), layer.reset_state(), layer(x)]",
    )
    for _options in (
        "3",
        "3, return_sequences=True",
        "3, return_sequences=True, go_backwards=True",
        "3, go_backwards=True, return_state=True",
        "3, activation='relu', return_sequences=True",
    ):
        if "return_state" not in _options:
            _add(f"Sequential([{_masked}, {_kind}({_options})])", _tokens)
    _add(f"Sequential([{_masked}, {_kind}(3, return_sequences=True), {_kind}(2)])", _tokens)
    _add(f"Bidirectional({_kind}(3))", _sequence)
    for _mode in ("'concat'", "'sum'", "'mul'", "'ave'", "None"):
        _add(f"Bidirectional({_kind}(3, return_sequences=True), merge_mode={_mode})", _sequence)
    _add(f"Bidirectional({_kind}(3, return_sequences=True, return_state=True))", _sequence)
    _add(f"Sequential([{_masked}, Bidirectional({_kind}(3, return_sequences=True))])", _tokens)
    _add(f"RNN({_kind.replace('SimpleRNN', 'SimpleRNN')}Cell(3))", _sequence)
    _add(f"RNN({_kind}Cell(3), return_sequences=True, go_backwards=True)", _sequence)
    _add(f"Sequential([{_masked}, RNN({_kind}Cell(3), return_sequences=True)])", _tokens)
    _all = ", ".join(f"x[{i + 1}]" for i in range(_states))
    _add(f"{_kind}Cell(3)", normal(3, 4), *[_state] * _states, call=f"layer(x[0], [{_all}])")
    _add(
        f"{_kind}Cell(2, activation='relu', use_bias=False)",
        normal(3, 4),
        *[normal(3, 2)] * _states,
        call=f"layer(x[0], states=[{_all}])",
    )
for _kind in ("LSTM", "GRU"):
    _add(f"{_kind}(3, recurrent_activation='hard_sigmoid')", _sequence)
    _add(f"{_kind}(3, recurrent_activation='tanh', activation='sigmoid')", _sequence)
_add("GRU(3, reset_after=False, return_sequences=True)", _sequence)
_add(f"Sequential([{_masked}, GRU(3, reset_after=False)])", _tokens)
_add("RNN(GRUCell(3, reset_after=False))", _sequence)
_add("LSTM(3, unit_forget_bias=False)", _sequence)
_add("LSTM(3, recurrent_initializer='glorot_uniform', bias_initializer='ones')", _sequence)
_add("Bidirectional(LSTM(3), backward_layer=LSTM(3, use_bias=False, go_backwards=True))", _sequence)
_add(
    "Bidirectional(LSTM(3, return_sequences=True), backward_layer=GRU(3, return_sequences=True, go_backwards=True))",
    _sequence,
)
_add("Bidirectional(RNN(LSTMCell(3)))", _sequence)
_add("Bidirectional(LSTM(3))", _sequence, *[_state] * 4, call="layer(x[0], initial_state=x[1:])")
_add("RNN([LSTMCell(3), GRUCell(2), SimpleRNNCell(4)])", _sequence)
_add("RNN([LSTMCell(3), LSTMCell(2)], return_sequences=True, return_state=True)", _sequence)
_add("RNN(StackedRNNCells([GRUCell(3), GRUCell(2)]))", _sequence)
_add("RNN([GRUCell(3), GRUCell(2)], return_state=True)", _sequence, call="layer(x, mask=mask)", mask=_steps)
_add("RNN(LSTMCell(3), return_state=True)", _sequence, _state, _state, call="layer(x[0], initial_state=[x[1], x[2]])")
_add("RNN(LSTMCell(3), stateful=True)", _sequence, call="[layer.reset_state(), layer(x), layer(x)]", gradient=False)
_add("TimeDistributed(LSTM(3))", normal(2, 3, 4, 2))
_add("Sequential([LSTM(3, return_sequences=True), TimeDistributed(Dense(2))])", _sequence)
