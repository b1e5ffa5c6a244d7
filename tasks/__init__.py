"""The five tasks and the dict that names them."""
