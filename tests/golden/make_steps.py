"""Train the seed documents' programs in real Keras and write their losses to steps.json.

    pip install keras jax tensorflow-cpu scikit-learn && python tests/golden/make_steps.py

Each backend runs in a process of its own. The first 20 step losses and the losses of five epochs, unshuffled, from
the weights and data of programs.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

BACKENDS = ("tensorflow", "jax")
HERE = Path(__file__).parent


def run(backend: str) -> None:
    """Print one backend's losses as JSON (in the child process)."""
    import keras
    import numpy as np

    sys.path.insert(0, str(HERE))
    import programs

    module = __import__(backend)
    found: dict[str, object] = {}
    for name, program in programs.PROGRAMS.items():
        x, y = program.data()
        model = programs.compiled(keras, program)
        assert model.count_params() == program.parameters, (name, model.count_params())
        steps = programs.step_losses(model, x, y)
        epochs = programs.epoch_losses(programs.compiled(keras, program), x, y)
        assert np.isfinite(steps + epochs).all()
        found[name] = {"steps": steps, "epochs": epochs}
    versions = {"keras": keras.__version__, backend: module.__version__}
    print("RESULT " + json.dumps({"versions": versions, "losses": found}))


def main() -> None:
    runs = {}
    for backend in BACKENDS:
        environment = dict(os.environ, KERAS_BACKEND=backend, JAX_PLATFORMS="cpu", CUDA_VISIBLE_DEVICES="-1")
        command = [sys.executable, __file__, backend]
        out = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
        runs[backend] = json.loads(out.rsplit("RESULT ", 1)[1])
    (HERE / "steps.json").write_text(json.dumps(runs, indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run(sys.argv[1])
    else:
        main()
