Bench.main(System.argv())
