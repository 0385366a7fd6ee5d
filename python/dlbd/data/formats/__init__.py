"""The formats of files of rows: what :mod:`dlbd.data.files` reads."""
