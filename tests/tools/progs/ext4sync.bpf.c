/*
 * What fsync(2) finds in ext4's own structs: they are types of the kernel where ext4 is built in, and of a module elsewhere.
 * The raw tracepoint's arguments are the same on every architecture.
 */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define __local __attribute__((preserve_access_index))
enum { BPF_MAP_TYPE_RINGBUF = 27 };

struct bpf_raw_tracepoint_args {
	__u64 args[2];
};

/* The fields lie elsewhere than in any kernel: only relocation finds them. */
struct super_block {
	void *s_fs_info;
} __local;

struct inode {
	struct super_block *i_sb;
	__s64 i_size;
} __local;

struct file {
	struct inode *f_inode;
} __local;

struct ext4_inode_info {
	__s64 i_disksize;
	struct inode vfs_inode;
} __local;

struct ext4_super_block {
	char s_volume_name[16];
	__u32 s_inodes_count;
} __local;

struct ext4_sb_info {
	struct ext4_super_block *s_es;
	unsigned long s_inodes_per_group;
	int s_inode_size;
} __local;

struct event {
	__u32 pid;
	__u32 inode_size;
	__u64 size;
	__u64 disk_size;
	__u64 inodes_per_group;
	__u32 inodes_count;
	char volume[16];
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

SEC("raw_tracepoint/ext4_sync_file_enter")
int sync_file(struct bpf_raw_tracepoint_args *ctx)
{
	struct file *file = (struct file *)ctx->args[0];
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct ext4_inode_info *own = (void *)inode - bpf_core_field_offset(struct ext4_inode_info, vfs_inode);
	struct ext4_sb_info *sb = BPF_CORE_READ(inode, i_sb, s_fs_info);
	struct ext4_super_block *on_disk = BPF_CORE_READ(sb, s_es);
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e)
		return 0;
	e->pid = bpf_get_current_pid_tgid() >> 32;
	e->inode_size = BPF_CORE_READ(sb, s_inode_size);
	e->size = BPF_CORE_READ(inode, i_size);
	e->disk_size = BPF_CORE_READ(own, i_disksize);
	e->inodes_per_group = BPF_CORE_READ(sb, s_inodes_per_group);
	e->inodes_count = BPF_CORE_READ(on_disk, s_inodes_count);
	BPF_CORE_READ_INTO(&e->volume, on_disk, s_volume_name);
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	bpf_ringbuf_submit(e, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
