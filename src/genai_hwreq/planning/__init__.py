"""What follows from an estimate: fit on a device, classes of machines, inverse questions, advice."""
