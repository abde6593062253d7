// Lets a function without a body compile.
