# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Makes GPU devices in a /sys of the test's own. To be sourced after system-test.sh.

# Makes an empty /sys, and the folder of udev's database.
make_sys() {
  mount -t tmpfs tmpfs /sys
  mount -t tmpfs tmpfs /run
  mkdir -p /sys/devices /run/udev/data
}

# add_node DEVICE NODE: adds a DRM node of the device below /sys/devices.
add_node() {
  mkdir -p "/sys/devices/$1/drm/$2" /sys/class/drm
  ln -s "../../devices/$1/drm/$2" "/sys/class/drm/$2"
}

# add_pci DEVICE DRIVER VENDOR: adds a PCI device that is a display.
add_pci() {
  mkdir -p "/sys/devices/$1" /sys/bus/pci/devices
  echo "$3" >"/sys/devices/$1/vendor"
  echo 0x030000 >"/sys/devices/$1/class"
  ln -s "../../../bus/pci/drivers/$2" "/sys/devices/$1/driver"
  ln -s "../../../devices/$1" "/sys/bus/pci/devices/${1##*/}"
}

# add_function DEVICE PHYSICAL GROUP NUMBER: adds a virtual function of the device with the address
# PHYSICAL, in a VFIO group whose node has the number of another one, such as 1:5.
add_function() {
  local address=${1##*/}
  add_pci "$1" vfio-pci 0x8086
  ln -s "../$2" "/sys/devices/$1/physfn"
  mkdir -p /sys/dev/char "/sys/kernel/iommu_groups/$3/devices"
  ln -s "../../../../devices/$1" "/sys/kernel/iommu_groups/$3/devices/$address"
  ln -s "../../devices/virtual/vfio/$3" "/sys/dev/char/$4"
}
