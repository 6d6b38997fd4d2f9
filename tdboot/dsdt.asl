/* SPDX-License-Identifier: MIT */
/*
 * The DSDT of every TD. Addresses are those of guest-abi/tdboot.h and the sleep type that
 * of guest-abi/acpi_ports.h; a unit test compares them.
 */
DefinitionBlock ("", "DSDT", 2, "REDOUB", "TDBOOT  ", 1)
{
	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A08"))
			Name (_CID, EisaId ("PNP0A03"))
			Name (_UID, 0)
			Name (_SEG, 0)
			Name (_BBN, 0)
			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
					0, 0, 0, 0, 1)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					NonCacheable, ReadWrite,
					0, 0xc0000000, 0xcfffffff, 0, 0x10000000)
			})
		}

		/* Keeps the operating system from giving the ECAM to a device. */
		Device (ECAM)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xe0000000, 0x00100000)
			})
		}
	}

	Name (\_S5, Package () { 5, 0, 0, 0 })
}
