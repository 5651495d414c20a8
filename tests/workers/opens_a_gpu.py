"""A module that opens a GPU when it is imported, or what is called like one."""

file = open("/dev/nvidia-portpool-test")
