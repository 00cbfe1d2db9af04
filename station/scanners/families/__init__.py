"""One module a family. Each names its rule as `FAMILY`; nothing else lists them."""
