/* What elfutils' configure would have found with musl: libelf alone, without zstd and without locks. */
#define HAVE_ERR_H 1
#define HAVE_DECL_MEMRCHR 1
#define HAVE_DECL_RAWMEMCHR 0
#define HAVE_DECL_MEMPCPY 1
#define HAVE_DECL_POWEROF2 1
#define HAVE_DECL_REALLOCARRAY 1
#define HAVE_GCC_STRUCT 0
#define CHECK_UNDEF 0
#define SYMBOL_VERSIONING 0
#define ENABLE_CHECKS 0
#define PACKAGE "elfutils"
#define PACKAGE_NAME "elfutils"
#define PACKAGE_VERSION "0"
#define _GNU_SOURCE 1
#include <eu-config.h>
