/*
 * The baseline's filesystem as it is, with other names for its functions: those of filesystem.h
 * belong to the layer above it.
 */
#include "disk_filesystem.h"

#define filesystem_init disk_filesystem_init
#define create_file     disk_create_file
#define read_file       disk_read_file
#define file_size       disk_file_size
#define delete_file     disk_delete_file
#define list_files      disk_list_files

#include "disk/filesystem.c" /* NOLINT(bugprone-suspicious-include): that is the point */
