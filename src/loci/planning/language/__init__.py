"""Understanding English: what people want of a robot, in words that nobody wrote down before."""
