"""What takes long to import."""


def load():
    import numpy
    import pandas

    return numpy is not pandas
