"""Seed 000, section 4.4, 生成对抗网络（GAN）, put right: a generator of handwritten digits, and its adversary.

The document's networks do not fit together (000_gan_as_printed.py), and of their training it says "...". Here both are
for 28x28x1 images in [-1, 1]. Two measures tell whether it has worked, both by a classifier that knows real digits:

- of 1,000 generated images, at least 8 of the 10 digits make up 3% each: the generator does not draw one thing only;
- the Frechet distance between generated and real images, in the classifier's last hidden layer, is at most a quarter of
  what it was before training (as the "FID" of Heusel et al., 2017, whose classifier is Inception).

Each epoch leaves a picture in build/seeds/.
"""

import numpy as np
from data import PICTURES, QUICK, digits

import dlbd
from dlbd import layers, ops

LATENT = 64  # numbers of noise that an image is made from
EPOCHS = 1 if QUICK else 12

(train_images, train_labels), (test_images, test_labels) = digits()
images = np.concatenate([train_images, test_images]) * 2 - 1  # to [-1, 1], what tanh gives

# Who judges

classifier = dlbd.Sequential(
    [
        dlbd.Input((28, 28, 1)),
        layers.Conv2D(16, 3, strides=2, activation="relu"),
        layers.Conv2D(32, 3, strides=2, activation="relu"),
        layers.Flatten(),
        layers.Dense(32, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
)
classifier.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
classifier.fit(train_images * 2 - 1, train_labels, epochs=6, verbose=0)
accuracy = classifier.evaluate(test_images * 2 - 1, test_labels, verbose=0)[1]
print(f"The classifier that judges knows {accuracy:.1%} of the digits that it has not seen")
features = dlbd.Model(classifier.inputs, classifier.layers[-2].output)


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """|mean a - mean b|^2 + trace(A + B - 2 sqrt(A B)), with the covariances A and B."""
    means, covariances = [x.mean(axis=0) for x in (a, b)], [np.cov(x, rowvar=False) for x in (a, b)]
    roots = np.sqrt(np.maximum(np.linalg.eigvals(covariances[0] @ covariances[1]).real, 0))  # their sum is the trace
    return float(((means[0] - means[1]) ** 2).sum() + np.trace(sum(covariances)) - 2 * roots.sum())


class Judge(dlbd.callbacks.Callback):
    """Measures 1,000 images from the same noise before training and after each epoch, and draws the first of them."""

    def __init__(self) -> None:
        super().__init__()
        self.noise = np.random.default_rng(0).standard_normal((1000, LATENT)).astype(np.float32)
        self.real = features.predict(images, verbose=0)

    def measure(self) -> tuple[int, float, np.ndarray]:
        made = generator.predict(self.noise, verbose=0)
        shares = np.bincount(classifier.predict(made, verbose=0).argmax(axis=1), minlength=10) / len(made)
        return int((shares >= 0.03).sum()), frechet_distance(features.predict(made, verbose=0), self.real), made

    def on_train_begin(self, logs=None):
        self.classes, self.untrained, made = self.measure()
        print(f"untrained: {self.classes} digits, distance {self.untrained:.1f}")
        draw(made, "gan-00.png")

    def on_epoch_end(self, epoch, logs=None):
        self.classes, distance, made = self.measure()
        self.ratio = distance / self.untrained
        losses = ", ".join(f"{name} {loss:.3f}" for name, loss in logs.items())
        print(
            f"epoch {epoch + 1:2}: {self.classes:2} digits, distance {distance:5.1f}, {self.ratio:.3f} of it; "
            f"losses: {losses}"
        )
        draw(made, f"gan-{epoch + 1:02}.png")


def draw(made: np.ndarray, name: str) -> None:
    """The first 64, eight by eight."""
    try:
        from matplotlib.image import imsave
    except ImportError:
        print(f"{name} is not drawn: pip install 'dlbd[plot]'")
        return
    PICTURES.mkdir(parents=True, exist_ok=True)
    imsave(PICTURES / name, made[:64].reshape(8, 8, 28, 28).swapaxes(1, 2).reshape(224, 224), cmap="gray")


# Who plays

# 定义生成器: from noise to 7x7, doubled twice. No relu before LeakyReLU: nothing would be left for it to do.
generator = dlbd.Sequential(
    [
        dlbd.Input((LATENT,)),
        layers.Dense(7 * 7 * 64, use_bias=False),
        layers.BatchNormalization(),
        layers.LeakyReLU(0.2),
        layers.Reshape((7, 7, 64)),
        layers.Conv2DTranspose(32, (4, 4), strides=(2, 2), padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.LeakyReLU(0.2),
        layers.Conv2DTranspose(1, (4, 4), strides=(2, 2), padding="same", activation="tanh"),
    ],
    name="generator",
)

# 定义判别器: one number, above 0 for "real". Dropout keeps it from winning too early.
discriminator = dlbd.Sequential(
    [
        dlbd.Input((28, 28, 1)),
        layers.Conv2D(32, (4, 4), strides=(2, 2), padding="same"),
        layers.LeakyReLU(0.2),
        layers.Dropout(0.3),
        layers.Conv2D(64, (4, 4), strides=(2, 2), padding="same"),
        layers.LeakyReLU(0.2),
        layers.Dropout(0.3),
        layers.Flatten(),
        layers.Dense(1),
    ],
    name="discriminator",
)


class GAN(dlbd.Model):
    """``fit`` calls ``train_step`` for every batch; the step is recorded once and replayed."""

    def __init__(self, generator, discriminator):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.generator_optimizer = dlbd.optimizers.Adam(2e-4, beta_1=0.5)
        self.discriminator_optimizer = dlbd.optimizers.Adam(2e-4, beta_1=0.5)
        self.cross_entropy = dlbd.losses.BinaryCrossentropy(from_logits=True)

    def call(self, noise, training=False):
        return self.generator(noise, training=training)

    def train_step(self, real):
        n = len(real)

        # The discriminator learns to say "real" (0.9: never too sure) and "made".
        made = self(dlbd.random.normal((n, LATENT)), training=True)
        with dlbd.GradientTape() as tape:
            says_of_real = self.discriminator(real, training=True)
            says_of_made = self.discriminator(made, training=True)
            d_loss = self.cross_entropy(ops.full((n, 1), 0.9), says_of_real)
            d_loss += self.cross_entropy(ops.zeros((n, 1)), says_of_made)
        weights = self.discriminator.trainable_variables
        self.discriminator_optimizer.apply(tape.gradient(d_loss, weights), weights)

        # The generator learns to have it say "real" of what it makes.
        with dlbd.GradientTape() as tape:
            made = self(dlbd.random.normal((n, LATENT)), training=True)
            g_loss = self.cross_entropy(ops.ones((n, 1)), self.discriminator(made, training=True))
        weights = self.generator.trainable_variables
        self.generator_optimizer.apply(tape.gradient(g_loss, weights), weights)
        return {"discriminator": d_loss, "generator": g_loss}


# 训练模型
gan, judge = GAN(generator, discriminator), Judge()
gan.compile()
gan.fit(images, epochs=EPOCHS, batch_size=64, verbose=0, callbacks=[judge])

reached = judge.classes >= 8 and judge.ratio <= 0.25
print(
    f"{'REACHED' if reached else 'NOT REACHED'}: {judge.classes} digits of 10 (8 are wanted), "
    f"{judge.ratio:.3f} of the untrained generator's distance (0.25 is wanted)"
    f"{'; --quick trains for one short epoch only' if QUICK else ''}"
)
