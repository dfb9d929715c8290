"""From a tree to a disk image: compiling in the sandbox, the cache of builds, the image and its filesystem."""
