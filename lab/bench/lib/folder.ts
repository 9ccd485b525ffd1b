/**
 * A temporary folder, gone with whoever holds it.
 * @module
 */
export class Folder implements AsyncDisposable {
  readonly path = Deno.makeTempDirSync({ prefix: "bench-" });

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
