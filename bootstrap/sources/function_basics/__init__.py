"""Small function problems of our own, one module per topic: statement, reference, inputs and q solution together."""
