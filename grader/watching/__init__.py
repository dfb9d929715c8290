"""`./lab watch`: grades again on each save, in workers that stay, and shows a live score board."""
