/* The loader as a library for C. Made by cbindgen of src/lib.rs: change that.

   Link with libcorelet.a. Of the program it wants memcpy, memmove, memset, memcmp, bcmp and strlen, on 32-bit ARM
   __aeabi_unwind_cpp_pr0 and 1 (libgcc_eh), and nothing else: by a libc or by examples/start.c. Without Rust in the program, 32-bit
   ARM is linked with --defsym=rust_eh_personality=0, which tables of Rust's division name; nothing unwinds. It prints nothing,
   touches no signal, starts no thread, has no global state; a handle is used by one thread at a time. Functions give 0 or more where they did it, and else the negative of corelet-loader's exit code, whose words corelet_why
   has. */

#ifndef CORELET_H
#define CORELET_H

#include <stddef.h>
#include <stdint.h>

/*
 A loaded pack.
 */
typedef struct corelet corelet;

/*
 A pack to be loaded. What it points to must stay as it is until corelet_close.
 */
typedef struct corelet_pack {
  /*
   Its path; with bytes, what messages call it.
   */
  const char *name;
  /*
   The pack in memory; null to read the file.
   */
  const void *bytes;
  /*
   How many bytes.
   */
  size_t len;
  /*
   Words of options as corelet-loader --help has them: {"--set", "min_us=10"}. Those about printing do nothing.
   */
  const char *const *options;
  /*
   How many words.
   */
  size_t options_len;
  /*
   Hears all that the loader says, notices included, in pieces of lines that end with no NUL; may be null.
   */
  void (*hear)(void *context, const char *words, size_t len);
  /*
   What hear is given.
   */
  void *context;
} corelet_pack;

/*
 Text that ends with no NUL.
 */
typedef struct corelet_text {
  /*
   Its first byte.
   */
  const char *at;
  /*
   Its bytes.
   */
  size_t len;
} corelet_text;

/*
 An event, for as long as the call lasts that hands it over.
 */
typedef struct corelet_event {
  /*
   What the program submitted, aligned to 8 bytes; of a perf buffer with up to 7 bytes of padding behind it.
   */
  const void *bytes;
  /*
   How many bytes.
   */
  size_t len;
  /*
   Name of the object that it is of.
   */
  struct corelet_text object;
  /*
   Name of the map that it came through.
   */
  struct corelet_text map;
  /*
   Name of its type in C; empty where the pack gives it none.
   */
  struct corelet_text type_name;
  /*
   For corelet_print.
   */
  const void *inner;
} corelet_event;

/*
 What corelet_poll came to.
 */
typedef struct corelet_polled {
  /*
   Events that were handed over.
   */
  uint64_t events;
  /*
   Events that the kernel dropped because a perf buffer was full.
   */
  uint64_t lost;
  /*
   Events that were longer than the pack says, and left out.
   */
  uint64_t too_long;
} corelet_polled;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Loads a pack's maps and programs, and attaches nothing. Gives 0 and the handle, or the negative of corelet-loader's exit code: -1
 this kernel cannot run the pack; -2 a wrong option; -3 no pack, or a damaged one; -4 the machine lacks a permission, a file
 system or an option; -5 out of memory or busy. Then nothing is left loaded, and the words are in why, cut to fit, with a NUL.

 Takes about 32 KiB of stack.

 # Safety
 Of the pack as it says; why has why_len bytes, or is null.
 */
int corelet_load(const struct corelet_pack *pack,
                 struct corelet **handle,
                 char *why,
                 size_t why_len);

/*
 Gives everything back: attachments, programs, maps, memory. Null is nothing to close.

 # Safety
 A handle of corelet_load that is used no more, or null.
 */
void corelet_close(struct corelet *handle);

/*
 The words of the last call that failed, of one or more lines, with a NUL; until the next call.

 # Safety
 A handle of corelet_load.
 */
const char *corelet_why(const struct corelet *handle);

/*
 Attaches all programs, after the buffers of events are open. 0, or as corelet_load; then nothing is attached.

 # Safety
 A handle of corelet_load.
 */
int corelet_attach(struct corelet *handle);

/*
 Detaches all programs. They and their maps stay loaded.

 # Safety
 A handle of corelet_load.
 */
void corelet_detach(struct corelet *handle);

/*
 The descriptor of a loaded program, which corelet_close closes; negative as of corelet_load for a name that has none.

 # Safety
 A handle of corelet_load; a name with a NUL.
 */
int corelet_program(struct corelet *handle,
                    const char *name);

/*
 The descriptor of a map, which corelet_close closes, and through key_len and value_len, which may be null, the bytes of its keys
 and values: of a per-CPU map the value, rounded up to 8 bytes, for each possible CPU. Negative as of corelet_load for a name that
 has none. OBJECT/NAME is the map of one object; .bss, .data and .rodata are the variables.

 # Safety
 A handle of corelet_load; a name with a NUL.
 */
int corelet_map(struct corelet *handle,
                const char *name,
                size_t *key_len,
                size_t *value_len);

/*
 Reads the value of a key: 1, or 0 where there is no such entry; negative as of corelet_load, also for lengths that are not the
 map's.

 # Safety
 A handle of corelet_load; a name with a NUL; so many bytes at key and value.
 */
int corelet_lookup(struct corelet *handle,
                   const char *map,
                   const void *key,
                   size_t key_len,
                   void *value,
                   size_t value_len);

/*
 Sets the value of a key, with a new entry where there is none: 0, or negative as of corelet_lookup.

 # Safety
 As of corelet_lookup.
 */
int corelet_update(struct corelet *handle,
                   const char *map,
                   const void *key,
                   size_t key_len,
                   const void *value,
                   size_t value_len);

/*
 Removes an entry: 1, or 0 where there was none; negative as of corelet_lookup.

 # Safety
 As of corelet_lookup.
 */
int corelet_delete(struct corelet *handle, const char *map, const void *key, size_t key_len);

/*
 Writes to next the key behind key, the first one where key is null: 1, or 0 behind the last; negative as of corelet_lookup.

 # Safety
 As of corelet_lookup, with key_len bytes at next too.
 */
int corelet_next_key(struct corelet *handle,
                     const char *map,
                     const void *key,
                     void *next,
                     size_t key_len);

/*
 Reads a variable of the programs, of len bytes: 0, or negative as of corelet_load, also for another length than it has.

 # Safety
 A handle of corelet_load; a name with a NUL; so many bytes at value.
 */
int corelet_read(struct corelet *handle,
                 const char *variable,
                 void *value,
                 size_t len);

/*
 Sets a variable; a constant is set by the option --set, before it is loaded. As of corelet_read.

 # Safety
 As of corelet_read.
 */
int corelet_write(struct corelet *handle, const char *variable, const void *value, size_t len);

/*
 What becomes readable when there are events, for a poll(2) of your own; -1 before corelet_attach.

 # Safety
 A handle of corelet_load.
 */
int corelet_epoll(const struct corelet *handle);

/*
 Waits up to timeout_ms milliseconds, for ever where that is negative, until there are events or a signal comes; hands the events
 that are there then to each. 0, or negative as of corelet_load; polled may be null.

 # Safety
 A handle of corelet_load, which each does not use.
 */
int corelet_poll(struct corelet *handle,
                 int timeout_ms,
                 void (*each)(void *context, const struct corelet_event *event),
                 void *context,
                 struct corelet_polled *polled);

/*
 Writes an event to line as corelet-loader prints it, as one object of JSON where json is not 0, without a line's end and without
 a NUL; gives the bytes written, at most size. As text a number may take thrice its bytes.

 # Safety
 An event that corelet_poll hands over, within that call; size bytes at line.
 */
size_t corelet_print(const struct corelet_event *event,
                     int json,
                     char *line,
                     size_t size);

extern void corelet_a_panic_is_possible(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* CORELET_H */
