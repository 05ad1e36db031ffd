"""What the scenarios and the peers share: starting, measuring, judging, drawing."""
