return change()
