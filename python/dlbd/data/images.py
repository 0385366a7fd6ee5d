"""A folder of files by class, images or texts: a row each."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from dlbd.data.arrow import pa
from dlbd.data.errors import SourceError
from dlbd.data.expressions import Expression
from dlbd.data.locations import File, naming
from dlbd.data.scans import FileReader, Server

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
_BATCH_BYTES = 8 << 20


class ClassFolderReader(FileReader):
    """Rows of files in folders that are called as their class: ``root/class/.../file``.

    The columns are ``image`` (the file's bytes, not decoded) or ``text`` (its contents), ``label`` (the class) and
    ``path``. Without folders of classes there is no label.

    Args:
        root: the folder of the classes.
        kind: "images" or "texts".
        encoding: of texts; "utf8" by default.
    """

    def __init__(
        self,
        files: Sequence[File],
        root: str,
        kind: str,
        name: str,
        remote: bool,
        servers: list[Server],
        encoding: str = "utf8",
    ) -> None:
        super().__init__(name, remote, servers)
        self._files, self._encoding = files, encoding
        self._content = "image" if kind == "images" else "text"
        self._labels = [_class_of(file, root) for file in files]
        unlabelled = [file.name for file, label in zip(files, self._labels, strict=True) if label is None]
        if unlabelled and len(unlabelled) < len(files):
            raise SourceError(f"{name}: {unlabelled[0]} lies beside the folders of the classes, in none of them")
        fields = [(self._content, pa.binary() if kind == "images" else pa.string()), ("path", pa.string())]
        if not unlabelled:
            fields.insert(1, ("label", pa.string()))
        self.schema = pa.schema(fields)

    def _batches(
        self, columns: Sequence[str], where: Expression | None, rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        wanted = pa.schema([self.schema.field(name) for name in columns])
        batch: list[dict[str, object]] = []
        size = 0
        for file, label in zip(self._files, self._labels, strict=True):
            row: dict[str, object] = {"label": label, "path": file.name}
            if self._content in columns:
                content = self._read(file)
                row[self._content] = content
                size += len(content)
            batch.append(row)
            if len(batch) == rows or size >= _BATCH_BYTES:
                yield pa.RecordBatch.from_pylist(batch, wanted)
                batch, size = [], 0
        yield pa.RecordBatch.from_pylist(batch, wanted)

    def _read(self, file: File) -> bytes | str:
        with naming(file.name, file.secrets):
            if self._content == "text":
                with file.text(self._encoding, newline="") as text:
                    return text.read()
            with file.stream() as source:
                return bytes(source.read())

    def _count(self) -> int:
        return len(self._files)


def _class_of(file: File, root: str) -> str | None:
    """The folder below the root, if there is one."""
    label, slash, _ = file.path[len(root) + 1 :].partition("/")
    return label if slash else None
