/** Returns the rest of a path, whose slashes separate its segments. */
function rest(name«: string», value«: PathValue»)«: string» {
  if (!["string", "number", "bigint"].includes(typeof value) || value === "") {
    throw new TypeError(`the parameter ${name} must be a path that is not empty`);
  }
  const segments = String(value).split("/").map((one) => (one === "" ? "" : segment("", name, one, "")));
  return segments.join("/");
}
