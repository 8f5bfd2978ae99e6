"""What an operator does with everything at once: back it up, bring it back, move it to another
database. Runs beside a server or instead of one; knows nothing of tasks or HTTP."""
