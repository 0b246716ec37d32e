"""Tree workers: the processes that touch trees for the dispatcher, one for each experiment."""
