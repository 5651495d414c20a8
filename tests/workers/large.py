"""Results that are large, from the start or only as a term."""


def text(size):
    return "a" * size


def the_same_again(size, times):
    return ["a" * size] * times
