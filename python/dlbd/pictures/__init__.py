"""Pictures of models and of their training, drawn with matplotlib (extra ``plot``)."""
