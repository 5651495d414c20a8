"""What takes long to import."""


def load():
    import numpy
    import pandas

    return numpy.__version__, pandas.__version__
