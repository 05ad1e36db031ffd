"""What scenarios and peers share: starting, measuring, judging and drawing."""
