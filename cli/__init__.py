"""The command `actionstream`: the roles of the product, and its tools for people and machines."""
