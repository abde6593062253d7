package cli

const asStubborn = "be-stubborn"

func beStubborn() int { return 1 }
