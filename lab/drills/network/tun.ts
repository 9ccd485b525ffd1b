/**
 * A network device of this process's own: what the kernel sends over it is read here, and what is written here the
 * kernel receives. It is gone with the process. Linux, and the right to make one.
 * @module
 */

const LIBRARY = {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32", nonblocking: true },
} as const;

/** `linux/fcntl.h`, `linux/if_tun.h`, `poll.h`. */
const O_RDWR = 0o2;
const O_NONBLOCK = 0o4000;
const TUNSETIFF = 0x4004_54ca;
const IFF_TUN = 0x1;
const IFF_NO_PI = 0x1000;
const POLLIN = 0x1;

/** `struct ifreq`: 16 bytes of name, then the flags. */
const REQUEST_BYTES = 40;
const NAME_BYTES = 16;
const LARGEST_PACKET = 65_536;
/** How long one wait for packets lasts, in milliseconds; a device that is closed is waited for no longer. */
const WAIT_MS = 100;

/** Some of these devices, and what they receive. */
export class Tuns implements AsyncDisposable {
  readonly #library = Deno.dlopen("libc.so.6", LIBRARY);
  readonly #devices = new Map<number, (packet: Uint8Array<ArrayBuffer>) => void>();
  #isClosed = false;
  #reading: Promise<void> = Promise.resolve();

  /**
   * Makes a device.
   * @param onPacket called with every packet that the kernel sends over it
   * @returns sends a packet to the kernel, as if it had come over the device
   * @throws where this process may not
   */
  open(
    name: string,
    onPacket: (packet: Uint8Array<ArrayBuffer>) => void,
  ): (packet: Uint8Array<ArrayBuffer>) => void {
    const { symbols } = this.#library;
    const fd = symbols.open(new TextEncoder().encode("/dev/net/tun\0"), O_RDWR | O_NONBLOCK);
    if (fd < 0) throw new Error("There is no /dev/net/tun.");
    const request = new Uint8Array(REQUEST_BYTES);
    new TextEncoder().encodeInto(name, request);
    new DataView(request.buffer).setInt16(NAME_BYTES, IFF_TUN | IFF_NO_PI, true);
    if (symbols.ioctl(fd, BigInt(TUNSETIFF), request) < 0) {
      symbols.close(fd);
      throw new Error("No network device may be made here.");
    }
    this.#devices.set(fd, onPacket);
    return (packet) => {
      if (!this.#isClosed) symbols.write(fd, packet, BigInt(packet.length));
    };
  }

  /** Reads from all devices until they are closed. */
  start(): void {
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    const { symbols } = this.#library;
    const fds = [...this.#devices.keys()];
    const polled = new DataView(new ArrayBuffer(8 * fds.length));
    fds.forEach((fd, index) => {
      polled.setInt32(8 * index, fd, true);
      polled.setInt16(8 * index + 4, POLLIN, true);
    });
    const buffer = new Uint8Array(LARGEST_PACKET);
    while (!this.#isClosed) {
      if (await symbols.poll(new Uint8Array(polled.buffer), BigInt(fds.length), WAIT_MS) <= 0) continue;
      for (const [fd, onPacket] of this.#devices) {
        for (let length; (length = Number(symbols.read(fd, buffer, BigInt(buffer.length)))) > 0;) {
          onPacket(buffer.slice(0, length));
        }
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#reading;
    for (const fd of this.#devices.keys()) this.#library.symbols.close(fd);
    this.#library.close();
  }
}
