#!/bin/sh
# Run by mmdebstrap when the root is whole: makes of it what QEMU boots.
#   customize.sh ROOT OUT SITE GUEST
# ROOT is the root; OUT where kernel, initrd and disk go; SITE the Python packages; GUEST this folder.
set -eu
root=$1 out=$2 site=$3 guest=$4

mkdir "$root/srv/careport"
cp -r "$site" "$root/opt/site"
# Under emulation Python compiles ten times as slowly: once, here.
chroot "$root" python3 -m compileall -q -j 2 /usr/lib/python3 /opt/site >/dev/null || true

cp "$guest/scenarios.service" "$root/etc/systemd/system/"
echo hci_vhci > "$root/etc/modules-load.d/careport.conf"
echo careport > "$root/etc/hostname"
# Nothing may happen in the middle of a scenario, or wait for a person.
for unit in getty@tty1.service serial-getty@ttyS0.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer \
    e2scrub_all.timer e2scrub_reap.service systemd-pstore.service remote-fs.target; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
mkdir -p "$root/etc/systemd/system/multi-user.target.wants" "$root/etc/systemd/journald.conf.d"
ln -s ../scenarios.service "$root/etc/systemd/system/multi-user.target.wants/"
printf '[Journal]\nStorage=volatile\nForwardToConsole=yes\nTTYPath=/dev/ttyS0\nMaxLevelConsole=info\n' \
    > "$root/etc/systemd/journald.conf.d/careport.conf"

# An initrd of busybox and the few modules that the disk needs: boots in a third of the time of Debian's.
initrd=$root/tmp/initrd
kernel=$(basename "$root"/boot/vmlinuz-*)
modules=$root/lib/modules/${kernel#vmlinuz-}
mkdir -p "$initrd/bin" "$initrd/modules" "$initrd/dev" "$initrd/proc" "$initrd/sys" "$initrd/newroot"
cp "$root/bin/busybox" "$initrd/bin/"
cp "$guest/init" "$initrd/init"
: > "$initrd/modules/order"
for module in virtio_pci virtio_blk ext4; do
    # modprobe names a module's dependencies before the module itself.
    chroot "$root" modprobe --show-depends --ignore-install --set-version "${kernel#vmlinuz-}" "$module" |
        while read -r insert path _; do
            [ "$insert" = insmod ] || continue
            name=$(basename "${path%.xz}")
            [ ! -e "$initrd/modules/$name" ] || continue
            case $path in
                *.xz) chroot "$root" xz -dc "$path" > "$initrd/modules/$name" ;;
                *) cp "$root$path" "$initrd/modules/$name" ;;
            esac
            echo "$name" >> "$initrd/modules/order"
        done
done
chroot "$root" sh -c 'cd /tmp/initrd && find . | busybox cpio -o -H newc 2>/dev/null' | gzip -1 > "$out/initrd"
rm -r "$initrd"

cp "$root/boot/$kernel" "$out/kernel"
rm -r "$root"/boot/* "$root"/var/lib/apt/lists/* "$root"/var/cache/*
truncate -s 1G "$out/disk"
# It is no first boot: nothing is to be set up.
touch "$root/etc/.updated" "$root/var/.updated"
echo 5b3f0c3c1f0b4a7e9d5d2c6b8a7f1e20 > "$root/etc/machine-id"

# A second view of the root: one without what mmdebstrap has mounted in it.
mkdir "$out/view"
mount --bind "$root" "$out/view"
PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -m 0 -O ^has_journal -d "$out/view" "$out/disk"
umount "$out/view"
rmdir "$out/view"
