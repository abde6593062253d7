package filelock

import "os"

// openFlags follow a link; the comparison with the link itself that comes
// after the lock refuses it.
const openFlags = os.O_RDONLY
