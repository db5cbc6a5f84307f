"""Problems from Python data sets: their tests read by the syntax tree, their references made self-contained and run."""
