"""The ladder: T5 students of several sizes, pretrained here."""
