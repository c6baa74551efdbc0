#!/bin/busybox sh
# The initial RAM disk of an image: finds the root of the slot that the firmware started, and goes on there.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys

# A tried slot that comes here falls back by itself: the firmware takes it only once.
give_up() {
    echo "firsthand: $1: restarting" >/dev/kmsg
    sleep 2
    reboot -f
    sleep 60
}

while read -r module; do
    insmod "/modules/$module" || echo "firsthand: driver $module does not load" >/dev/kmsg
done </modules/order

# By cmdline-a.txt or cmdline-b.txt; a firmware that does not know that filter tells the partition in the device tree.
number=
for word in $(cat /proc/cmdline); do
    case "$word" in root=PARTUUID=46485354-0[56]) number=${word##*-0} ;; esac
done
told=/proc/device-tree/chosen/bootloader/partition
if [ -z "$number" ] && [ -e "$told" ]; then
    number=$(($(hexdump -v -e '4/1 "%02x"' "$told" | sed 's/^0*//') + 3))
fi

# The card: the disk with our signature.
card=
waited=0
while [ -z "$card" ]; do
    for disk in /sys/block/*; do
        name=${disk##*/}
        case "$name" in loop* | ram* | zram*) continue ;; esac
        if [ "$(dd if="/dev/$name" bs=1 skip=440 count=4 2>/dev/null)" = TSHF ]; then
            card=$disk
            break
        fi
    done
    waited=$((waited + 1))
    [ "$waited" -gt 300 ] && give_up "no card with our partition table"
    [ -n "$card" ] || usleep 100000
done

# A kernel starts only the root that it was built with: two versions are never mixed.
read -r wanted </root.sha256
root=
for partition in "$card"/*/partition; do
    read -r found <"$partition"
    case "$found" in 5 | 6) ;; *) continue ;; esac
    [ -z "$number" ] || [ "$found" = "$number" ] || continue
    name=${partition%/partition}
    device=/dev/${name##*/}
    if [ "$(dd if="$device" bs=4096 count=1 2>/dev/null | sha256sum | cut -c1-64)" = "$wanted" ]; then
        root=$device
        break
    fi
done
[ -n "$root" ] || give_up "the root of this slot is not the one of this kernel"
mount -t squashfs -o ro "$root" /root || give_up "the root of this slot cannot be mounted"

# What services write below /var goes into memory, but for the data partition.
mkdir -p /memory
mount -t tmpfs -o mode=0755,size=64m memory /memory
mkdir /memory/upper /memory/work
chmod 0755 /memory/upper
mount -t overlay -o lowerdir=/root/var,upperdir=/memory/upper,workdir=/memory/work overlay /root/var ||
    give_up "no overlay for /var"

# The machine's number: of the card or of the board, so that it stays the same and no image holds one.
for source in "$card/device/cid" /proc/device-tree/serial-number /sys/class/dmi/id/product_uuid; do
    if [ -s "$source" ]; then
        sha256sum <"$source" | cut -c1-32 >/memory/machine-id
        mount --bind /memory/machine-id /root/etc/machine-id
        break
    fi
done

mount --move /dev /root/dev
mount --move /proc /root/proc
mount --move /sys /root/sys
exec switch_root /root /sbin/init
