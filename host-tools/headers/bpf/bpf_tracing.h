/*
 * libbpf's name of what corelet_tracing.h has: registers of probes, and programs with C arguments. -D__TARGET_ARCH_x is not
 * needed and not looked at: one object serves every architecture.
 */
#ifndef BPF_TRACING_H
#define BPF_TRACING_H

#include "../corelet_tracing.h"

#endif
