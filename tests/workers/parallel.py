"""Calls that use more than one thread or process of their own."""

import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor


def square(number):
    return number * number


def _says_square(queue, number):
    queue.put(square(number))


def in_threads(count):
    with ThreadPoolExecutor(count) as threads:
        return sum(threads.map(square, range(count)))


def in_a_pool(method, count):
    with multiprocessing.get_context(method).Pool(2) as pool:
        return sum(pool.map(square, range(count)))


def in_an_executor(method, count):
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as processes:
        return sum(processes.map(square, range(count)))


def in_a_process(method, number):
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=_says_square, args=(queue, number))
    process.start()
    said = queue.get(timeout=20)
    process.join()
    return [said, process.exitcode]


def in_a_program(text):
    """What it writes, and what it is told on its stdin."""
    done = subprocess.run([sys.executable, "-c", "print(input()[::-1])"], input=text, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def in_a_thread_that_forks():
    """A program that a thread starts while the call waits for it."""
    codes = []
    thread = threading.Thread(target=lambda: codes.append(os.waitstatus_to_exitcode(os.system("exit 3"))))
    thread.start()
    thread.join()
    return codes
